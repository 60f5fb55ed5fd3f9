"""A trading day that the product makes itself: stores, tills, buyers, and a judge who counts apart."""
