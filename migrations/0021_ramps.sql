-- A ramp raises the traffic of a running experiment by steps, while its spec stays as it was applied. How far it is:
-- one row per experiment with a ramp that has started, written by each step. No row: the spec's traffic is served, as it
-- is by every experiment that started before ramps ran.
create table experiment_ramps (
    experiment_id integer primary key references experiments,
    traffic double precision not null constraint experiment_ramps_traffic_is_a_share check (traffic between 0 and 1),
    since timestamptz not null,
    exposed_before bigint not null
);
comment on table experiment_ramps is 'the traffic that each ramping experiment serves; changes with the revision of its experiment';
comment on column experiment_ramps.since is 'since when the step counts: when it was due, or when it was taken if it waited for samples';
comment on column experiment_ramps.exposed_before is 'units that were exposed before this step, as the fold had counted them';
