package keccak

func fastest() path { return pathGo }

func permute(s *[25]uint64) { permuteGeneric(s) }

func permute4(s *State4) { permute4Generic(s) }

func squeezeBlock4(s *State4, p0, p1, p2, p3 *[Rate]byte) { squeezeBlock4Generic(s, p0, p1, p2, p3) }
