package httpapi

// PresentedToken is how a request's token is found in its header.
var PresentedToken = presentedToken
