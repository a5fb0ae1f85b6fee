"""What a student does on live data: a module for chapters that are alike; `by_chapter` has all."""
