"""What runs in the pods: training, evaluation, serving and the hub."""
