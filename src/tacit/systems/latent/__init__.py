"""Systems that give the latent space a meaning."""
