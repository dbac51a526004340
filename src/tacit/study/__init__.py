"""Rows and no labels: what groups are there, how sure is that, and a model that labels the next row."""

from tacit.study.run import Study, cluster_study

__all__ = ["Study", "cluster_study"]
