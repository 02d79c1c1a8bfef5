package dp

import (
	"io"
	"math/big"
)

// Laws of families whose mechanisms are tested against published tables before, or apart from, their samplers.
func RoundedLaplaceLaw(scale float64) Law  { return Law{family: roundedLaplace, scale: scale} }
func DiscreteLaplaceLaw(scale float64) Law { return Law{family: discreteLaplace, scale: scale} }

// FloatBelow is the conversion of ε for the library.
var FloatBelow = floatBelow

func RoundedGaussianLaw(sigma float64) Law  { return Law{family: roundedGaussian, scale: sigma} }
func DiscreteGaussianLaw(sigma float64) Law { return Law{family: discreteGaussian, scale: sigma} }

// The parts of the exact samplers.
func SampleUniform(r io.Reader, n int64) (int64, error) {
	s := &sampler{stream: r}
	return s.uniform(big.NewInt(n)).Int64(), s.err
}

func SampleBernoulli(r io.Reader, p, q int64) (bool, error) {
	s := &sampler{stream: r}
	return s.bernoulli(fraction{big.NewInt(p), big.NewInt(q)}), s.err
}

func SampleBernoulliExp(r io.Reader, p, q int64) (bool, error) {
	s := &sampler{stream: r}
	return s.bernoulliExp(fraction{big.NewInt(p), big.NewInt(q)}), s.err
}

func SampleGeometricExp(r io.Reader, p, q int64) (int64, error) {
	s := &sampler{stream: r}
	return s.geometricExp(fraction{big.NewInt(p), big.NewInt(q)}).Int64(), s.err
}
