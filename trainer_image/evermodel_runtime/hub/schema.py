"""The tables of the hub, and connections to them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from evermodel_runtime.hub.settings import Synchronous
from evermodel_runtime.hub.volume import DATABASE, VolumeError

SCHEMA_VERSION = 8
BUCKET_SECONDS = 10
"""Predictions and labels are counted by the time of the prediction, in buckets of this length."""
_WAL_PAGES = 1000
_WAL_BYTES = 64 * 1024 * 1024

TABLES = """
CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- The ledger. seq counts from 1 in each model, without gaps; rows are never changed.
CREATE TABLE labels (
  model INTEGER NOT NULL, seq INTEGER NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL,
  predicted_at REAL NOT NULL, written_at REAL NOT NULL, label TEXT NOT NULL, correct INTEGER NOT NULL,
  PRIMARY KEY (model, seq)) WITHOUT ROWID;
CREATE UNIQUE INDEX labels_by_key ON labels (model, key);
CREATE INDEX labels_by_prediction ON labels (model, version, predicted_at, correct);

-- One row for each threshold asked for; state is that of quality.detector after the model's last label.
CREATE TABLE detectors (
  id INTEGER PRIMARY KEY, model INTEGER NOT NULL, version INTEGER NOT NULL,
  threshold REAL NOT NULL, tolerance REAL NOT NULL, false_alarm_every REAL NOT NULL, state BLOB NOT NULL,
  UNIQUE (model, version, threshold, tolerance, false_alarm_every));

CREATE TABLE totals (
  model INTEGER NOT NULL, version INTEGER NOT NULL,
  predictions INTEGER NOT NULL DEFAULT 0, errors INTEGER NOT NULL DEFAULT 0, labels INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (model, version)) WITHOUT ROWID;
CREATE TABLE traffic (
  model INTEGER NOT NULL, version INTEGER NOT NULL, bucket INTEGER NOT NULL,
  predictions INTEGER NOT NULL DEFAULT 0, labels INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (model, version, bucket)) WITHOUT ROWID;
CREATE TABLE pods (
  model INTEGER NOT NULL, version INTEGER NOT NULL, pod TEXT NOT NULL,
  predictions INTEGER NOT NULL, errors INTEGER NOT NULL, seen_at REAL NOT NULL,
  PRIMARY KEY (model, version, pod)) WITHOUT ROWID;

-- label_seq joins a capture to its label, whichever came first.
CREATE TABLE captures (
  n INTEGER PRIMARY KEY, model INTEGER NOT NULL, key TEXT NOT NULL, predicted_at REAL NOT NULL,
  row BLOB NOT NULL, label_seq INTEGER);
CREATE UNIQUE INDEX captures_by_key ON captures (model, key);
CREATE INDEX captures_by_age ON captures (model, n);
CREATE INDEX captures_labelled ON captures (model, label_seq, predicted_at) WHERE label_seq IS NOT NULL;

CREATE TABLE heldout_uses (
  model INTEGER NOT NULL, held_out TEXT NOT NULL, version INTEGER NOT NULL, rows_key TEXT NOT NULL,
  after INTEGER NOT NULL, through INTEGER NOT NULL, k INTEGER NOT NULL,
  PRIMARY KEY (model, held_out, rows_key, version, after, through)) WITHOUT ROWID;
CREATE TABLE runs (
  model INTEGER NOT NULL, version INTEGER NOT NULL, stage TEXT NOT NULL, report BLOB NOT NULL,
  PRIMARY KEY (model, version, stage)) WITHOUT ROWID;
CREATE TABLE lineage (
  model INTEGER NOT NULL, number INTEGER NOT NULL, promoted_at REAL NOT NULL, entry BLOB NOT NULL,
  PRIMARY KEY (model, number)) WITHOUT ROWID;
CREATE TABLE datasets (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
"""
TRIALS = """
-- Trials of searches that are going on; run is the digest of what they depend on.
CREATE TABLE trials (
  model INTEGER NOT NULL, version INTEGER NOT NULL, run TEXT NOT NULL, number INTEGER NOT NULL, trial BLOB NOT NULL,
  PRIMARY KEY (model, version, run, number)) WITHOUT ROWID;
"""
METRICS = """
-- What was predicted, as its id holds it: errors and metrics of a class follow from it and the label.
-- NULL of labels that an earlier hub wrote.
ALTER TABLE labels ADD COLUMN predicted TEXT;

-- States are made again from the ledger, to the bit, when they are asked for.
DROP TABLE detectors;
CREATE TABLE detectors (
  id INTEGER PRIMARY KEY, model INTEGER NOT NULL, version INTEGER NOT NULL, measure TEXT NOT NULL,
  threshold REAL NOT NULL, tolerance REAL NOT NULL, false_alarm_every REAL NOT NULL, state BLOB NOT NULL,
  UNIQUE (model, version, measure, threshold, tolerance, false_alarm_every));
"""
DRIFT = """
-- Counts are arrays of 64-bit integers: requests answered, requests refused, and those of contract.Reference.
-- Of a pod its totals; of a bucket what came in so many seconds from its start.
CREATE TABLE bin_totals (
  model INTEGER NOT NULL, version INTEGER NOT NULL, pod TEXT NOT NULL, reference TEXT NOT NULL,
  counts BLOB NOT NULL, seen_at REAL NOT NULL,
  PRIMARY KEY (model, version, pod)) WITHOUT ROWID;
CREATE TABLE bins (
  model INTEGER NOT NULL, version INTEGER NOT NULL, reference TEXT NOT NULL, start INTEGER NOT NULL,
  seconds INTEGER NOT NULL, counts BLOB NOT NULL,
  PRIMARY KEY (model, version, reference, start, seconds)) WITHOUT ROWID;
"""
CAPTURE_RULES = """
-- withheld is a JSON array of the columns whose values the pod kept to itself; NULL of whole rows, which alone count as
-- records. version is NULL of rows that an earlier hub wrote.
ALTER TABLE captures ADD COLUMN version INTEGER;
ALTER TABLE captures ADD COLUMN withheld TEXT;
DROP INDEX captures_labelled;
CREATE INDEX captures_labelled ON captures (model, label_seq, predicted_at)
  WHERE label_seq IS NOT NULL AND withheld IS NULL;
DROP INDEX captures_by_age;
CREATE INDEX captures_by_age ON captures (model, predicted_at);

-- What the newest pods said: it holds while none of them run, too. max_age is in seconds.
CREATE TABLE capture_rules (model INTEGER PRIMARY KEY, max_age REAL, max_records INTEGER);
"""
ERASED = """
-- Predictions whose rows may not be kept, should one still come from a pod.
CREATE TABLE erased (
  model INTEGER NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (model, key)) WITHOUT ROWID;
CREATE INDEX erased_by_time ON erased (at);
"""
REPLACED = """
-- What a dataset's name or a run's report named until another one took its place.
CREATE TABLE replaced (sha256 TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
"""
CALLERS = """
-- caller is a keyed hash of what the caller called the row, so that no file ever holds such an id; issued is the row's
-- own, which says what was predicted. caller_ids of a model is NULL until a pod says something of it.
ALTER TABLE captures ADD COLUMN caller BLOB;
ALTER TABLE captures ADD COLUMN issued TEXT;
CREATE INDEX captures_by_caller ON captures (model, caller) WHERE caller IS NOT NULL;
ALTER TABLE capture_rules ADD COLUMN caller_ids TEXT;
"""
STEPS = (TABLES, TRIALS, METRICS, DRIFT, CAPTURE_RULES, ERASED, REPLACED, CALLERS)
"""What makes each schema of the one before it: a volume of an earlier hub is brought up to date."""


def open_for_writing(folder: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """Open the one connection that writes, making the tables that the volume lacks."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")  # a backup that was made lets it grow
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is gone from the file as well
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -65536")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > SCHEMA_VERSION:
        connection.close()
        raise VolumeError(f"{DATABASE} has schema {found}, this hub knows {SCHEMA_VERSION}: run a newer image")
    if found < SCHEMA_VERSION:
        missing = "".join(STEPS[found:])
        connection.executescript(f"BEGIN IMMEDIATE; {missing} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    return connection


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open a connection that cannot write; it sees what is committed."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -16384")
    return connection
