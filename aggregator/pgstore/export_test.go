package pgstore

// ShardBase is the first shard of a process.
func ShardBase(s *Store) int { return s.shards.base }

// OpenAs is Open for a program with other migrations.
var OpenAs = open

// Migrations are the files of this program.
var Migrations = migrations
