package mydatahelps

import (
	_ "embed"
	"slices"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI is the description of this dialect's wire in OpenAPI 3.1, as YAML.
func OpenAPI() []byte { return slices.Clone(openAPI) }
