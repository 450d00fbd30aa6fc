-- The installation itself: one row that every mutation locks, so that mutations have one order.
-- It never changes on the data path.
create table installation (
    only_row boolean primary key default true check (only_row),
    revision bigint not null default 0,
    unit_secret_fingerprint bytea,
    audit_seq bigint not null default 0,
    audit_head bytea not null default '\x0000000000000000000000000000000000000000000000000000000000000000',
    created_at timestamptz not null default now()
);
comment on column installation.revision is 'counts applied mutations; a plan is valid for one revision only';
comment on column installation.unit_secret_fingerprint is 'a daemon whose secret has another fingerprint must not start: every sticky unit would become a stranger';
comment on column installation.audit_head is 'hash of the newest audit row; all zeros before the first';
insert into installation default values;

-- Who leads each background role, by the database's clock. Writes of a led role are fenced by its term.
create table leases (
    role text primary key,
    holder text not null,
    term bigint not null,
    expires_at timestamptz not null
);
