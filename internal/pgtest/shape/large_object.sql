-- Their number only: identifiers are arbitrary.
SELECT 'large objects', jsonb_build_object('number', count(*)) FROM pg_largeobject_metadata HAVING count(*) > 0
