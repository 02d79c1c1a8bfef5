package demo

// TakeOffsets is takeOffsets.
var TakeOffsets = takeOffsets
