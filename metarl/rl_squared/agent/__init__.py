"""Inputs, network, the hidden state that lasts for one trial, and the files of an agent."""
