-- Which models the rows are read with; other models fetch them anew.

alter table account add column shape text;

-- Nobody sends these yet.
drop table blocks;
