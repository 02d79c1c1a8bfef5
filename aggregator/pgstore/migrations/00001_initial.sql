-- +goose Up

-- IDs are bytea, times of the protocol are 8 bytes big-endian (they sort as the times do), instants are timestamptz; year 1 is "none".
-- Rows that many transactions change are split into shards, and their tables leave room on each page so that an update touches no index.

-- One row: the version of the oldest program that may use the tables. Later migrations change it where they take something away.
CREATE TABLE compatibility (
    oldest bigint NOT NULL
);
INSERT INTO compatibility (oldest) VALUES (1);

CREATE TABLE pins (
    task   bytea PRIMARY KEY,
    digest bytea NOT NULL
);

CREATE TABLE counters (
    task  bytea,
    name  text,
    shard smallint,
    n     bigint NOT NULL,
    PRIMARY KEY (task, name, shard)
) WITH (fillfactor = 50);

-- state: 1 unassigned, 2 assigned, 3 aggregated, 4 rejected. number is the order of arrival.
CREATE TABLE reports (
    task       bytea,
    id         bytea,
    number     bigint GENERATED ALWAYS AS IDENTITY,
    time       bytea NOT NULL,
    not_before timestamptz NOT NULL,
    state      smallint NOT NULL,
    code       smallint NOT NULL DEFAULT 0,
    job        bytea,
    PRIMARY KEY (task, id)
) WITH (fillfactor = 80);
CREATE INDEX reports_unassigned ON reports (task, not_before, number) WHERE state = 1;

-- The bodies of unassigned and assigned reports, apart from the rows that change.
CREATE TABLE bodies (
    number bigint PRIMARY KEY,
    body   bytea NOT NULL
);
ALTER TABLE bodies ALTER COLUMN body SET STORAGE EXTERNAL; -- ciphertext does not compress

-- Reports by state: of a unit of time (8 bytes), or of a leader-selected batch (32 bytes).
CREATE TABLE progress (
    task       bytea,
    bucket     bytea,
    shard      smallint,
    unassigned bigint NOT NULL,
    assigned   bigint NOT NULL,
    aggregated bigint NOT NULL,
    rejected   bigint NOT NULL,
    PRIMARY KEY (task, bucket, shard)
) WITH (fillfactor = 50);

CREATE TABLE leader_batches (
    task     bytea,
    id       bytea,
    number   bigint GENERATED ALWAYS AS IDENTITY,
    created  timestamptz NOT NULL,
    reserved bytea, -- a collection job's ID
    PRIMARY KEY (task, id)
);
CREATE INDEX leader_batches_open ON leader_batches (task, number) WHERE reserved IS NULL;

-- state of jobs: 1 live, 2 finished, 3 abandoned. due is when a live job may be leased: NextAttempt, or the end of the lease.
CREATE TABLE aggregation_jobs (
    task          bytea,
    id            bytea,
    number        bigint GENERATED ALWAYS AS IDENTITY,
    batch         bytea,
    reports       bytea[] NOT NULL,
    request       bytea,
    created       timestamptz NOT NULL,
    location      text NOT NULL,
    attempts      bigint NOT NULL,
    next_attempt  timestamptz NOT NULL,
    waiting_code  text NOT NULL,
    waiting_text  text NOT NULL,
    waiting_since timestamptz NOT NULL,
    lease_until   timestamptz NOT NULL,
    due           timestamptz NOT NULL,
    revision      bigint NOT NULL,
    state         smallint NOT NULL,
    PRIMARY KEY (task, id)
);
CREATE INDEX aggregation_jobs_due ON aggregation_jobs (due, number) WHERE state = 1;
CREATE INDEX aggregation_jobs_live ON aggregation_jobs (task, number) WHERE state = 1;

-- Reports that the Helper aggregated.
CREATE TABLE marks (
    task   bytea,
    report bytea,
    bucket bytea NOT NULL,
    PRIMARY KEY (task, report)
);

CREATE TABLE buckets (
    task     bytea,
    bucket   bytea,
    shard    smallint,
    share    bytea,
    count    bigint NOT NULL,
    checksum bytea NOT NULL,
    min_time bytea NOT NULL,
    max_time bytea NOT NULL,
    PRIMARY KEY (task, bucket, shard)
) WITH (fillfactor = 50);
ALTER TABLE buckets ALTER COLUMN share SET STORAGE EXTERNAL;

-- Buckets whose shares were erased.
CREATE TABLE erased (
    task   bytea,
    bucket bytea,
    PRIMARY KEY (task, bucket)
);

-- Collected intervals are kept disjoint.
CREATE TABLE collected_intervals (
    task   bytea,
    start  bytea,
    finish bytea NOT NULL,
    PRIMARY KEY (task, start)
);

CREATE TABLE collected_batches (
    task bytea,
    id   bytea,
    PRIMARY KEY (task, id)
);

CREATE TABLE collection_jobs (
    task           bytea,
    id             bytea,
    number         bigint GENERATED ALWAYS AS IDENTITY,
    queue          bigint NOT NULL, -- order among those that are due at one time
    request        bytea,
    digest         bytea NOT NULL,
    created        timestamptz NOT NULL,
    has_batch      boolean NOT NULL,
    batch_start    bytea,
    batch_duration bytea,
    batch_id       bytea,
    share_request  bytea,
    location       text NOT NULL,
    response       bytea,
    problem        bytea,
    attempts       bigint NOT NULL,
    next_attempt   timestamptz NOT NULL,
    waiting_code   text NOT NULL,
    waiting_text   text NOT NULL,
    waiting_since  timestamptz NOT NULL,
    lease_until    timestamptz NOT NULL,
    due            timestamptz NOT NULL,
    revision       bigint NOT NULL,
    state          smallint NOT NULL,
    PRIMARY KEY (task, id)
);
CREATE SEQUENCE collection_jobs_queue;
CREATE INDEX collection_jobs_due ON collection_jobs (due, queue) WHERE state = 1;
CREATE INDEX collection_jobs_digest ON collection_jobs (task, digest, number);

CREATE TABLE helper_jobs (
    task         bytea,
    id           bytea,
    number       bigint GENERATED ALWAYS AS IDENTITY,
    digest       bytea NOT NULL,
    request      bytea,
    response     bytea,
    created      timestamptz NOT NULL,
    next_attempt timestamptz NOT NULL,
    lease_until  timestamptz NOT NULL,
    due          timestamptz NOT NULL,
    state        smallint NOT NULL,
    PRIMARY KEY (task, id),
    UNIQUE (task, digest)
);
ALTER TABLE helper_jobs ALTER COLUMN response SET STORAGE EXTERNAL;
CREATE INDEX helper_jobs_due ON helper_jobs (due, number) WHERE state = 1;

CREATE TABLE share_answers (
    task           bytea,
    id             bytea,
    number         bigint GENERATED ALWAYS AS IDENTITY,
    digest         bytea NOT NULL,
    batch_start    bytea NOT NULL,
    batch_duration bytea NOT NULL,
    batch_id       bytea,
    response       bytea,
    created        timestamptz NOT NULL,
    PRIMARY KEY (task, id),
    UNIQUE (task, digest)
);

CREATE TABLE submissions (
    task        bytea,
    member      text,
    correction  bytea NOT NULL, -- 8 bytes big-endian
    report      bytea NOT NULL,
    signer      bytea NOT NULL,
    contributes bytea,
    received    timestamptz NOT NULL,
    aggregated  boolean NOT NULL,
    PRIMARY KEY (task, member)
);

CREATE TABLE statements (
    task    bytea PRIMARY KEY,
    text    bytea,
    salts   bytea,
    created timestamptz NOT NULL
);
