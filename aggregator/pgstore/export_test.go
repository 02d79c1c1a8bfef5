package pgstore

// OpenAs is Open for a program with other migrations.
var OpenAs = open

// Migrations are the files of this program.
var Migrations = migrations
