"""What trained networks are used for, apart from one pass through them: graphs, votes, centroids."""
