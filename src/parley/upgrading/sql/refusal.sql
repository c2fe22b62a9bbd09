  declare
    v_found text;
  begin
    select string_agg(d.dependent, '; ')
    into v_found
    from (
{dependents}
    ) as d;
    if v_found is not null then
      raise exception using
        errcode = '2BP01',
        message = format('Not everything here was made by Parley and uses nothing of it: %s.', v_found),
        hint = 'Change or drop what is named, or write this migration with parley uninstall --cascade.';
    end if;
  end;
