"""Commands of experiments: localizers and lesions. May import what `commands` may."""
