package openclinica

import (
	"bytes"
	_ "embed" // the API description
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI is the description of the dialect's API, an OpenAPI 3.1 document in YAML. A test
// holds it to the routes and to every recorded exchange.
func OpenAPI() []byte { return bytes.Clone(openAPI) }
