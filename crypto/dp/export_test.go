package dp

// Laws of families whose mechanisms are tested against published tables before, or apart from, their samplers.
func RoundedLaplaceLaw(scale float64) Law  { return Law{family: roundedLaplace, scale: scale} }
func DiscreteLaplaceLaw(scale float64) Law { return Law{family: discreteLaplace, scale: scale} }

// FloatBelow is the conversion of ε for the library.
var FloatBelow = floatBelow
