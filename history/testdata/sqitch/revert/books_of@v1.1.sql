DROP FUNCTION books_of;
