"""Tables from outside: files of rows as spreadsheets, tills and other systems write them."""
