-- the version of the oldest program that may use the tables
SELECT oldest FROM compatibility
