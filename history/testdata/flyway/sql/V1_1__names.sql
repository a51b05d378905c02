-- in ${town}
INSERT INTO author (id, name) VALUES (1, 'Ämilie of ${town}');