package client

// Freshness is for its fuzz target.
var Freshness = freshness
