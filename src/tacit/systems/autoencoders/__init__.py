"""Encoders, decoders and likelihoods."""
