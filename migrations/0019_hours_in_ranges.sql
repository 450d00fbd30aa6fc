-- An hour of the rollups is merged some experiments at a time: one statement over thousands of them could never end in
-- time, and would be tried again for ever. How far the newest hour is, so that the next transaction goes on there.
alter table experiment_minutes_merged
    add column hour timestamptz,
    add column merged_to integer not null default 0;
comment on column experiment_minutes_merged.hour is 'the hour that was merged last, or is being merged if it is not before until';
comment on column experiment_minutes_merged.merged_to is 'of that hour, experiments up to this number are merged';
