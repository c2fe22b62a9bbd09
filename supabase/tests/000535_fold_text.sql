-- fold_text: what is one word in a search, however it is written.
begin;
set local search_path = public, extensions;
select no_plan();

select is((chat_private.fold_texts(array[typed]))[1], folded, format('%s is written %L in a search', typed, folded))
from (
  values
  ('Hello, World-2!', 'hello world 2 '), ('', ''), ('STRAẞE', 'strasse'), ('İI ıi', 'ii ii'), ('ΟΔΟΣ', 'οδοσ'),
  ('Ærø', 'aero'), ('ＡＢＣ', 'abc'), ('e' || U&'\0301' || 'te', 'ete'), ('שָׁלוֹם', 'שלום'), ('٤٢', '42'),
  ('都', ' 都 '), ('iPhone手机', 'iphone 手机 '), ('👍🏽👍', ' 👍 👍 '), ('🇵🇹🇫🇷', ' 🇵🇹 🇫🇷 '), (U&'\200B', '')
) as t (typed, folded);
select is(
  chat_private.fold_texts('{ONE,Zwei,東京,"",ÜBER}'), '{one,zwei," 東京 ","",uber}', 'many texts are folded like each of them'
);
select is(
  chat_private.fold_texts(array['a' || chr(1) || 'b', 'c', 'é' || chr(1)]), '{"a b",c,"e "}',
  'the character that keeps texts apart is a sign like others within one'
);
select is(chat_private.fold_texts('{}'), '{}', 'no texts are none');
select is(
  chat_private.split_dense('{" 東京都 ",one," 都 x "}'), '{" 東京 都 京都 ",one," 都 x x "}'::text[], 'every character begins a pair, and the last one is a word'
);
select is(
  chat_private.split_typed('Café, 東京!'), '{Café,", ",東,京,!}', 'a text is taken apart as it was typed'
);
select is(string_agg(p.piece, '' order by p.place), 'a_b é😀 ' || U&'\200D' || 'ก', 'a text that is taken apart loses nothing')
from unnest(chat_private.split_typed('a_b é😀 ' || U&'\200D' || 'ก')) with ordinality as p (piece, place);

select * from finish();
rollback;
