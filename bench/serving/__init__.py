"""Speed of a serving pod beside other model servers."""
