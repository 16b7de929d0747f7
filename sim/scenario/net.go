package scenario

import "github.com/moldau/moldau/net/simnet"

// Net is how the links between different hosts fare when nothing is wrong.
type Net = simnet.Link
