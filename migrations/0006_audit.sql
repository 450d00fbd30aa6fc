-- Who changed what. Each row is written in the transaction of its mutation; the chain runs over the stored bytes.
create table experiment_audit_logs (
    seq bigint primary key,
    at timestamptz not null,
    actor text not null,
    via text not null,
    action text not null,
    target text not null,
    result text not null,
    revision bigint not null,
    reason text not null,
    request_id uuid not null constraint experiment_audit_logs_request_is_unique unique,
    body text not null,
    previous_hash bytea not null,
    hash bytea not null
);
comment on column experiment_audit_logs.body is 'canonical JSON as text: hashed as stored, so no time zone or jsonb order can change it';
comment on column experiment_audit_logs.request_id is 'the same request again finds its first answer here instead of acting twice';
create index experiment_audit_logs_by_target on experiment_audit_logs (target, seq);

create function refuse_audit_change() returns trigger language plpgsql as $$
begin
    raise exception 'experiment_audit_logs is append-only' using errcode = 'integrity_constraint_violation';
end
$$;
create trigger audit_rows_stay before update or delete on experiment_audit_logs
    for each row execute function refuse_audit_change();
create trigger audit_table_stays before truncate on experiment_audit_logs
    for each statement execute function refuse_audit_change();
