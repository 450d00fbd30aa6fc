-- Experiments may declare several learning lanes, each under its own policy. Draws, state and versions name a lane
-- by its number, so a name keeps its number for ever: a lane that returns to the file goes on where it was.
create table experiment_lanes (
    experiment_id integer not null references experiments,
    lane smallint not null,
    name text not null,
    primary key (experiment_id, lane),
    constraint experiment_lanes_name_is_unique unique (experiment_id, name)
);
comment on table experiment_lanes is 'every lane that an experiment ever had; experiments.lanes are those in force';
comment on column experiment_lanes.lane is '0 holdback, 1 main, others by first sight; never reused';

-- Until now there were two lanes at most.
insert into experiment_lanes (experiment_id, lane, name)
select e.id, l.lane, case l.lane when 0 then 'holdback' else 'main' end
from experiments e cross join lateral unnest(e.lanes) as l(lane);
