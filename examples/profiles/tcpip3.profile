; TCPIP3: a target. It learns the DVIPA from the group; what it says of it is where
; its server listens, which asks for port 8443 of every address.

IPCONFIG SYSPLEXROUTING
    DYNAMICXCF 172.1.1.3 255.255.255.0 3

PORT 8443 TCP * BIND 10.1.3.10
