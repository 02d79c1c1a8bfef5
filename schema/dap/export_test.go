package dap

// Message and Parsable let tests be written once for all messages.
type (
	Message         interface{ message }
	Parsable[M any] interface{ parsable[M] }
)
