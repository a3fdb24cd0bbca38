package main

func (m *measurement) entityLinks() error { return nil }
