"""Export: the pruned model as files, checked and measured."""
