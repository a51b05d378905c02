CREATE INDEX book_year ON book (year);
