CREATE TABLE slots (id bigint PRIMARY KEY, during tsrange, EXCLUDE USING gist (during WITH &&));
