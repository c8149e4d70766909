package sessionhttp

// Find is the parser of the Cookie header.
var Find = find
