"""Sources, worlds, specs and feeds: rows of raw data become batches that networks read."""

from tacit.data import worlds
from tacit.data.feeds import Batch, Feed
from tacit.data.labels import encode_labels, labelled
from tacit.data.layout import Layout
from tacit.data.load import load
from tacit.data.source import ArraySource, Source, SparseSource, concat
from tacit.data.spec import Spec
from tacit.data.streams import Batches, Feeds, streams

__all__ = [
    "ArraySource",
    "Batch",
    "Batches",
    "Feed",
    "Feeds",
    "Layout",
    "Source",
    "SparseSource",
    "Spec",
    "concat",
    "encode_labels",
    "labelled",
    "load",
    "streams",
    "worlds",
]
