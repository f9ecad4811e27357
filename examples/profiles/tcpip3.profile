; TCPIP3: a target. It learns the DVIPA from the group, so this is all it needs.

IPCONFIG SYSPLEXROUTING
    DYNAMICXCF 172.1.1.3 255.255.255.0 3
