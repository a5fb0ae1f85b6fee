"""Export page: the pruned model as files, checked and measured."""
