-- Minutes of the rollups that are a month old are merged into hours: counts and sums only add, and nobody looks at minutes
-- of so long ago. Until when that was done, so that nothing is looked at twice.
create table experiment_minutes_merged (
    only_row boolean primary key default true check (only_row),
    until timestamptz not null
);
comment on table experiment_minutes_merged is 'rollups from before this are of hours; what is folded for them later stays in minutes';
insert into experiment_minutes_merged (until) values ('epoch');
