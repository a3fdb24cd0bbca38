package capture

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
)

// communityID is the name by which other tools know a flow
// (https://github.com/corelight/community-id-spec, version 1, seed 0).
func communityID(k *key, oneWay bool) string {
	var buf [40]byte
	b := buf[:2] // the seed
	src, dst, srcPort, dstPort := k.src, k.dst, k.srcPort, k.dstPort
	if c := src.Compare(dst); !oneWay && (c > 0 || c == 0 && srcPort > dstPort) {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	b = append(b, k.proto, 0)
	switch k.proto {
	case protoTCP, protoUDP, protoSCTP, protoICMP, protoICMPv6:
		b = binary.BigEndian.AppendUint16(b, srcPort)
		b = binary.BigEndian.AppendUint16(b, dstPort)
	}
	sum := sha1.Sum(b)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}
