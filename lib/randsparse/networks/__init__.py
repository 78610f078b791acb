"""Networks: names, shapes and modules."""
