"""HTTP below the routes: requests, answers, problems, limits. It knows nothing of a node."""
