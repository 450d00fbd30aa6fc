-- Alerts that reach people. An alert is an episode: opened, told of, acked or silenced, resolved. What is to be told is
-- written beside it, in the same transaction, as a notice; the daemon that leads the role `alerts` makes one delivery a
-- channel from each notice. Not the transaction that reports: any daemon may report, and only the one that sends knows
-- which channels there are, so a list of them in the database could only be out of date.
alter table alerts
    add column number bigint generated always as identity constraint alerts_number_is_unique unique,
    add column experiment_key text,
    add column source text not null default '',
    add column arm text,
    add column detail jsonb not null default '{}',
    add column reported_at timestamptz,
    add column told_at timestamptz,
    add column flaps integer not null default 0,
    add column acked_by text,
    add column acked_at timestamptz,
    add column ack_reason text,
    add column silenced_by text,
    add column silenced_until timestamptz,
    add column silence_reason text,
    add constraint alerts_severity_is_known check (severity in ('warning', 'critical')),
    add constraint alerts_silence_has_an_end check (state <> 'silenced' or silenced_until is not null);
comment on column alerts.number is 'what people type';
comment on column alerts.reported_at is 'when its condition was last seen';
comment on column alerts.told_at is 'when a notice that it fires, or still fires, was last written; null: nobody was told yet';
comment on column alerts.flaps is 'how often in a row it came back soon after it was resolved';
create index alerts_by_identity on alerts (identity, resolved_at desc);
create index alerts_resolved on alerts (resolved_at) where resolved_at is not null;

create table alert_notices (
    id bigint generated always as identity primary key,
    alert_id uuid references alerts,
    kind text not null check (kind in ('firing', 'reminder', 'resolved', 'digest')),
    at timestamptz not null,
    message jsonb not null,
    taken_at timestamptz,
    held boolean not null default false,
    digest_id bigint references alert_notices
);
comment on table alert_notices is 'what is to be told: the outbox, written in the transaction of what it tells of';
comment on column alert_notices.alert_id is 'null for a digest, which is about many';
comment on column alert_notices.message is 'what the alert said then: a later attempt tells the same';
comment on column alert_notices.taken_at is 'when deliveries were made from it, or when it went into a digest';
comment on column alert_notices.held is 'beyond what is told in a minute: it goes into a digest';
create index alert_notices_waiting on alert_notices (id) where taken_at is null;
create index alert_notices_taken on alert_notices (taken_at);
create index alert_notices_by_alert on alert_notices (alert_id);

alter table alert_deliveries
    alter column alert_id drop not null,
    add column number bigint generated always as identity constraint alert_deliveries_number_is_unique unique,
    add column notice_id bigint not null references alert_notices,
    add column claimed_until timestamptz,
    add column tried_at timestamptz,
    add column dead_at timestamptz,
    add constraint alert_deliveries_once_a_channel unique (notice_id, channel);
comment on column alert_deliveries.id is 'stays the same over all attempts: receivers drop repetitions by it';
comment on column alert_deliveries.claimed_until is 'somebody sends it until then; a sender that died gives it up by that';
comment on column alert_deliveries.dead_at is 'when it was given up; resend brings it back';
create index alert_deliveries_open on alert_deliveries (channel, notice_id)
    where delivered_at is null and dead_at is null;
create index alert_deliveries_by_alert on alert_deliveries (alert_id);

create table alert_channels (
    name text primary key,
    kind text not null,
    target text not null,
    seen_at timestamptz not null,
    fingerprint text not null,
    disabled_at timestamptz,
    delivered_at timestamptz,
    failed_at timestamptz,
    last_error text
);
comment on table alert_channels is 'how the channels do that the leading daemon is configured with';
comment on column alert_channels.target is 'where it leads, without what is secret';
comment on column alert_channels.fingerprint is 'a hash of the target: one that said 410 is tried again once it is another';
