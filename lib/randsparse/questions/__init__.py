"""The questions of the study: one folder per question, which holds its runs, its frames and its charts."""

from __future__ import annotations

ROOMS = {
    "01_masks_and_densities": "masks_and_densities",
    "02_random_search": "random_search",
    "03_sparsity_vs_accuracy": "random_search",
    "04_size": "size",
    "05_layerwise_density": "layerwise_density",
    "06_beyond_accuracy": "beyond_accuracy",
    "07_theory": "theory",
    "08_sparse_to_sparse": "sparse_to_sparse",
    "09_strong_tickets": "strong_tickets",
    "12_beyond_images": "beyond_images",
}
"""The folder of each notebook's question, by the notebook's name."""
