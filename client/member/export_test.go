package member

func CheckOutbox(text []byte) error { _, err := parseOutbox(text); return err }

func CheckApproval(text []byte) error { _, err := parseApproval(text); return err }
