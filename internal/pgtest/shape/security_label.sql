SELECT (pg_identify_object(l.classoid, l.objoid, l.objsubid)).identity || ' ' || l.provider, jsonb_build_object('label', l.label)
FROM pg_seclabel l
WHERE l.objoid >= 16384
